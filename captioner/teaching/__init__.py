"""Teaching a captioner the words of one person's photos: a few hundred pictures, on a laptop."""
