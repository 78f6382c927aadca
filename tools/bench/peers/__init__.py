"""Other brokers beside Acta in one run; started as `tools/dev peers`."""
