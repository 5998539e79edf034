#!/usr/bin/env bash
# One training on several machines under Slurm; it goes on from its last checkpoint where one of them was lost.
#   sbatch examples/slurm.sh train CartPole-v1 --set num_seeds=1 mesh=0 --out /shared/runs/pole
# /shared is a folder that all machines see. Ask for other machines on the command line: sbatch --nodes=8 ...
#SBATCH --job-name=edgerl
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --no-kill
#SBATCH --requeue
#SBATCH --open-mode=append
set -uo pipefail

for attempt in 1 2 3; do
  # A process that lost its partner ends by itself, with status 3; the whole step ends with the largest status.
  srun --kill-on-bad-exit=0 edgerl "$@"
  status=$?
  if [ "$status" -lt 3 ]; then  # 0: done; 1 and 2: it would fail again
    exit "$status"
  fi
  echo "slurm.sh: attempt $attempt ended with status $status" >&2
done
exit "$status"
