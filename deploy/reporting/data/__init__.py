"""What reports show: plain values, computed from build folders and documents."""
