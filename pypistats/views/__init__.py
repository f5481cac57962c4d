"""What the site answers: pages in HTML, the API in JSON, and its health."""
