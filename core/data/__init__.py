"""Photos: from files and folders to pixels, labels and parts."""
