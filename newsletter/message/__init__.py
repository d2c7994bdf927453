"""Edition and Recipient to Message."""
