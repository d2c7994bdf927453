"""What is learned after the attempt: bounce reports and providers' events, and what follows."""
