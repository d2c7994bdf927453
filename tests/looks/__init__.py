"""What mails and pages look like, and what programs that we did not write say of them."""
