"""Pictures without alternative text in web pages and Markdown: found, proposed, written."""
