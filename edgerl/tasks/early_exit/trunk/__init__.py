"""The network itself: its model, its training, its images, its int8 form."""
