"""What is tried with the parts of captioner, and drawn: none of it is installed."""
