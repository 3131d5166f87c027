"""Disputes: opened by customers, answered and ended by staff, with what that does to money."""
