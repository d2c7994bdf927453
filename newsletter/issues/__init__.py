"""Loading what an editor wrote: issues and their schema."""
