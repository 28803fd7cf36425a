"""OMG-Avatar (paper 004): one picture to Gaussians on the head's vertices at three levels."""
