"""What tools/compare and tools/regress share."""
