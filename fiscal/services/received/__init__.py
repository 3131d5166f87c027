"""Documents issued against a company: fetched, read, shown and manifested (§11)."""
