"""Ways for an e-mail to leave: Mailjet, a mail server, the console (EM-7)."""
