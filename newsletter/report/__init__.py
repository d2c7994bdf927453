"""What became of a send: figures, plots drawn for people, and exports."""
