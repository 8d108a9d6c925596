"""Understand, build and trust visual world models: numbered notebooks that are tutorial, library, documentation and tests at once

Modules:

- `world_models.contacts`: Find when balls touch, and what a touch does, without small steps
- `world_models.core`: Hold the few words, checks and pictures that every later page uses
- `world_models.datasets`: Keep clips on disk, whole or not at all, and cut them into past and future
- `world_models.decoders`: Draw the frame that a latent stands for
- `world_models.demo`: Go from nothing to a future that beats repeating the last frame, in one command
- `world_models.detection`: Find the balls in any frame, true or foretold, and not be fooled by grey
- `world_models.dynamics`: Step a latent into the future, and live on its own predictions
- `world_models.encoders`: Turn frames into a small map that still knows where things are
- `world_models.evaluation`: Score any foretold film against the truth, beside answers that cost nothing
- `world_models.losses`: Say what a prediction must get right, and see what it prefers to get wrong
- `world_models.rendering`: Draw the numbers of a world as frames, and say which pixel belongs to what
- `world_models.rollout`: Foretell films of any length, and lay them beside the truth
- `world_models.simulation`: Make small physical worlds whose every number is known
- `world_models.training`: Teach a model first to draw, then to foretell, with fastai's Learner
- `world_models.videos`: Read frame 30 of a film and get frame 30
- `world_models.world_model`: Put encoder, dynamics and decoder together, and refuse what does not fit"""

__version__ = "0.1.0"
