"""What a monitor's history would have been under other thresholds."""
