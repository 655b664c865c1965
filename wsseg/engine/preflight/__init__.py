"""What a late stage would fail on, found before the first stage runs."""
