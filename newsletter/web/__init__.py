"""The public side: what readers reach without a login."""
