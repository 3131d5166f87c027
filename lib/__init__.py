"""Small tools without models; nothing here knows an invoice or a nota fiscal."""
