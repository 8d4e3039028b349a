"""Replay: datasets and captures as events, and finished runs taken again."""
