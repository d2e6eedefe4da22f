"""What several pages use: state, jobs, downloads, colours, choices, the faithfulness line."""
