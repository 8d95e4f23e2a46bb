"""Models as graphs for other programs, and a captioner that runs them without torch."""
