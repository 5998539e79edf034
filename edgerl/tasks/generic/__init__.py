"""What every task does unless it knows better: settings, evaluation, figures, calibration."""
