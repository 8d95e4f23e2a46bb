"""What photos and their captions come in: readers that every room shares."""
