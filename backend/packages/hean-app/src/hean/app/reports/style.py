"""The look of `report.html`: one style sheet, light and dark, no font or file from elsewhere."""

from __future__ import annotations

from typing import Final

CSS: Final = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #16202c; --soft: #5b6877; --rule: #e3e7ec;
  --good: #0b7a4b; --bad: #c0362c; --warn: #9a6700;
  --c0: #2563c9; --c1: #d9730d; --c2: #0f8a6a; --c3: #b83280;
  --c4: #7554c8; --c5: #8a7000; --c6: #0a86ab; --c7: #a8452d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10151b; --card: #182028; --ink: #e6ebf1; --soft: #93a1b1; --rule: #2a343f;
    --good: #4cc38a; --bad: #f2776d; --warn: #e0b04c;
    --c0: #6ea8ff; --c1: #f5a35c; --c2: #4fc9a4; --c3: #ee82bd;
    --c4: #b09af5; --c5: #d5bb4a; --c6: #57c4e5; --c7: #e58d76;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 16px; margin: 0 0 2px; }
p { margin: 0; }
.sub, .hint { color: var(--soft); }
.hint { font-size: 13px; margin-bottom: 10px; max-width: 84ch; }
.tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 12px; margin: 20px 0 16px; }
.tile, .card {
  background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
}
.tile { padding: 12px 14px; }
.tile b { display: block; font-size: 21px; font-weight: 600; line-height: 1.3;
  white-space: nowrap; }
.tile > span { color: var(--soft); font-size: 13px; }
.card { padding: 16px 18px; margin-bottom: 16px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
svg { display: block; width: 100%; height: auto; }
svg text.tick { font-size: 12px; fill: var(--soft); }
svg line.grid { stroke: var(--rule); }
svg line.zero { stroke: var(--soft); }
svg line.notch { stroke: var(--rule); }
svg path.line { fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linejoin: round; }
svg path.line.faint { color: var(--soft); stroke-width: 1; opacity: 0.75; }
svg path.line.dashed { stroke-dasharray: 5 3; }
svg path.wash { fill: currentColor; opacity: 0.1; }
svg path.wash.bad { opacity: 0.16; }
svg path.band { fill: currentColor; opacity: 0.8; stroke: var(--card); stroke-width: 0.6; }
svg path.band.second { opacity: 0.4; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
.c6 { color: var(--c6); } .c7 { color: var(--c7); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 0; font-size: 13px; }
.legend i {
  display: inline-block; width: 12px; height: 3px; border-radius: 2px;
  background: currentColor; margin-right: 6px; vertical-align: middle;
}
.legend i.block { height: 10px; opacity: 0.8; }
.legend i.second { opacity: 0.4; }
.legend i.dashed {
  background: repeating-linear-gradient(90deg, currentColor 0 4px, transparent 4px 6px); }
.legend i.none { background: none; border: 1px dashed var(--soft); }
.legend em { font-style: normal; color: var(--soft); margin-left: 6px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 5px 14px 5px 0; text-align: right; vertical-align: top; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
th { color: var(--soft); font-weight: 500; font-size: 13px; border-bottom: 1px solid var(--rule); }
tr + tr td { border-top: 1px solid var(--rule); }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td.wide { white-space: normal; min-width: 240px; }
td.code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 12.5px;
  white-space: normal; overflow-wrap: anywhere; }
.dense table, .dense th { font-size: 12.5px; }
.dense th, .dense td { padding-right: 8px; }
.mix { display: flex; height: 8px; border-radius: 4px; overflow: hidden; background: var(--rule);
  margin: 7px 0 3px; min-width: 150px; color: var(--c0); }
.mix span { background: currentColor; min-width: 1px; border-right: 1px solid var(--card); }
.codes { font-size: 12.5px; color: var(--soft); white-space: normal; }
ul { margin: 4px 0 0; padding-left: 18px; font-size: 14px; }
@media (max-width: 820px) {
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .pair { grid-template-columns: 1fr; }
  svg text.tick { font-size: 16px; }
}
@media print { body { background: none; } .card { break-inside: avoid; } }
"""
