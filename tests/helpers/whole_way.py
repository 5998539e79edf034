"""What `edgerl train` does, for tests that give a task overrides as the command line does."""

from edgerl.tasks.registry import task_of


def train(what, overrides, folder, config=None):
    """The result of a training of task `what`."""
    task = task_of(what)
    return task.train(task.settings(config, overrides), folder)
