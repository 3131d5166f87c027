"""Which schema files are used, where they differ from the packaged ones, and newer releases."""
