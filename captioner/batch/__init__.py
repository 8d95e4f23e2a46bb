"""Many photos: sources → captioner → sinks. Each photo's failure is a row, never the end."""
