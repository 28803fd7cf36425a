"""What the feed-forward methods share: views of a person, their protocol, layers and training."""
