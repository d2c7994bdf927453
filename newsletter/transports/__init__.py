"""Ways out: SMTP, the mailbox and HTTP providers."""
