"""Nothing lost: what a training keeps beside the model, so that it can be cut off anywhere."""
