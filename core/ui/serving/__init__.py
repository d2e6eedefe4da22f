"""What stands between the server and whoever asks it: address, gate, entry, sessions."""
