"""What a pipeline of stages is made of: queues that are told how to be served while they are, and events in them.

Which stages there are, and what each does with an event, is the model's.
"""
