"""Photos wherever they lie: files, folders, patterns, lists, archives, tables, addresses."""
