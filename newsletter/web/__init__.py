"""The public side: where readers leave, choose what they receive and sign up."""
