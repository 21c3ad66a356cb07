RELEASE here;
