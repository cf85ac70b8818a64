"""A loop of completions on io_uring. Only the image of the model has a folder here that is named after a model."""
