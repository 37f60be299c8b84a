"""Each test states one truth about jmaplite; the folders mirror the package's rooms."""
