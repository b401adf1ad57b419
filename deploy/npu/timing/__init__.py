"""What operations move and how long they take: traffic, counters, and an estimate of cycles."""
