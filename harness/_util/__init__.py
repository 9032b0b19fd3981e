"""Private helpers without knowledge of the domain: files, disks, locks, signals, child processes, content keys."""
