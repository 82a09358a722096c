"""Starting and watching child processes."""
