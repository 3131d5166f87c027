"""The dunning ruler at work: select, check again, do, prove (DUN-1…8)."""
