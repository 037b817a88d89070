"""What each kind of component predicts on a map per unit flux."""
