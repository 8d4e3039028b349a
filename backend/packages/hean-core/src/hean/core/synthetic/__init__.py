"""Seeded simulated markets, a module a kind: tests, the `sim` feed and users share them."""
