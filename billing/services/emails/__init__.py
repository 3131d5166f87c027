"""E-mails about invoices: to whom, in which words, with which files, sent once (EM-1…EM-7)."""
