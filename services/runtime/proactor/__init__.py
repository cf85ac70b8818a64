"""A loop of completions on io_uring. A folder here that is named after a model goes into no image but that model's."""
