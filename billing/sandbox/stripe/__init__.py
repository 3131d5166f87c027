"""A stateful stand-in of Stripe's API v1 in the shapes of 2026-10-28: cards, refunds, disputes."""
