"""Understand, build and trust visual world models: numbered notebooks that are tutorial, library, documentation and tests at once

Modules:

- `world_models.balls`: Throw, drop and bounce things, and know where each is at any moment
- `world_models.codebooks`: Count which codes are in use, see what they stand for, and keep them from dying
- `world_models.contacts`: Find when balls touch, and what a touch does, without small steps
- `world_models.conversion`: Go from shards to films, pictures and arrays, and back
- `world_models.core`: Hold the few words, checks and pictures that every later page uses
- `world_models.datasets`: Keep clips on disk with their truth, and cut them into past and future
- `world_models.decoders`: Draw the frame that a latent stands for
- `world_models.deep_decoders`: Draw frames of any size from a vector, a map or tokens
- `world_models.demo`: Go from nothing to a future that beats repeating the last frame, in one command
- `world_models.detection`: Find the balls in any frame, true or foretold, and not be fooled by grey
- `world_models.dynamics`: Step a latent into the future, and live on its own predictions
- `world_models.encoders`: Turn frames into a few numbers that still know where things are
- `world_models.episodes`: Say what a clip carries besides its pixels, and what a world is
- `world_models.evaluation`: Score any foretold film against the truth, beside answers that cost nothing
- `world_models.feature_losses`: Compare frames as networks see them: trained features, random features, and a critic
- `world_models.frame_losses`: Compare films: pixels, structure, edges and motion, and see what each loss overlooks
- `world_models.generation`: Make forty thousand clips of ten worlds in one command, whole, repeatable, on all cores
- `world_models.inspection`: Say what lies in a file or folder, what is broken in it, and show it
- `world_models.labels`: Say where objects are, in the forms that networks are taught with
- `world_models.latent_losses`: Compare distributions, large numbers and whole batches, where a plain difference misleads
- `world_models.listings`: Open what another program has listed: films in a table, embeddings, latents
- `world_models.loading`: Cut batches of windows as fast as a model can eat them, from memory, disk or film
- `world_models.losses`: Say what a prediction must get right, and see what it prefers to get wrong
- `world_models.orbits`: Send planets round a star along the ellipses that Kepler found
- `world_models.oscillators`: Let things swing on rods and springs, and check every swing
- `world_models.pretrained`: Look through the eyes of a network that others have trained, and keep them as they are
- `world_models.readouts`: Read places, heat maps and states from a latent
- `world_models.rendering`: Draw the numbers of a world as frames, and say which pixel belongs to what
- `world_models.rollout`: Foretell films of any length, and lay them beside the truth
- `world_models.rssm`: Foretell a future that is not settled yet: one memory, and dice that it throws
- `world_models.sequence_dynamics`: Foretell a vector with a recurrent, a convolutional or an attending memory
- `world_models.shapes`: Draw soft discs, rods, polygons and pictures on many frames together
- `world_models.shards`: Make many files in any order, in many processes, and lose none to a kill or a full disk
- `world_models.simulation`: Make clips of any world, inside and outside its ranges, the same again from one seed
- `world_models.sources`: Read clips of other formats where they lie
- `world_models.sprites`: Move digits and shapes that pass through each other and know their walls
- `world_models.streaming`: Append clips to a store that many machines read while it grows
- `world_models.surprises`: Hide a ball, kick it at random, and break the laws on purpose
- `world_models.token_dynamics`: Foretell the tokens of a frame: ask the frame first, the past second
- `world_models.training`: Teach a model first to draw, then to foretell, with fastai's Learner
- `world_models.videos`: Read frame 30 of a film and get frame 30
- `world_models.vjepa`: Look at a film through a backbone that has learned to foretell films
- `world_models.vq`: Replace each latent by the nearest of a few hundred learned codes
- `world_models.waves`: Let ripples run across a basin, exactly, and below half the frame rate
- `world_models.world_model`: Put encoder, dynamics and decoder together, and refuse what does not fit"""

__version__ = "0.1.0"
