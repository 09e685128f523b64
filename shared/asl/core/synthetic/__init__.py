"""Pictures of hands that are nobody's: kinematics, poses, camera and renderer."""
