"""FastAvatar (paper 002): one to many frames, in any order, to one avatar without blendshapes."""
